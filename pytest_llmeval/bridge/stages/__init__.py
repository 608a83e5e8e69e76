"""What this plugin does between the start of a session and its first case, stage by stage; the conductor calls it."""
