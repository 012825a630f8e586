"""Lets the policy answer questions with tools and writes down every token."""
