"""Every SQL statement of the store, each named and described; `queries` reads them."""
