"""What a process knows of a guild: its chain, what it learned of it, and how both are kept true."""
