"""What rules can see of the rows there are, how often they alarm for nothing, which to begin with; judges no run."""
