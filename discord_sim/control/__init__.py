"""The control API: what tests and the web page do to the stand-in, and what they see of it."""
