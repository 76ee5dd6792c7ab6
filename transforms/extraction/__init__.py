"""PDF laboratory reports: what their text layer says, as rows with the place each thing was read from."""
