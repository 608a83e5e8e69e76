"""A run as it is made, judged and gone on with, in the process that the user started."""
