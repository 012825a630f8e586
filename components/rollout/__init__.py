"""The one agent loop: question -> prompt -> policy -> tools -> ... -> trace."""
