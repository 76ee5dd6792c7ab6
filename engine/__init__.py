"""What runs channels: stores, queues, retries, replays, serves, watches."""
