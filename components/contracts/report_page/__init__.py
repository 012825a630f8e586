"""What reports for people share: the page around them, and the browser of single items."""
