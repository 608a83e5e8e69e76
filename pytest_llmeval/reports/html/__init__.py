"""Parts of HTML pages; what they return can be put into any page as it is."""
