"""Planning of rules, apart from any run: the changes they can detect, their false alarms, and rules to start with."""
