"""What can be told before anything is spent: what rules will see of the rows there are, how often they are wrong."""
