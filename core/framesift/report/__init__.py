"""What was kept of one video: a page, and a contact sheet."""
