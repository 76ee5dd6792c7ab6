"""One message's way: intake, dispatch, answer, delivery, retry, recovery, replay."""
