"""Parts of HTML pages. Their functions return HTML that is safe to put into any page."""
