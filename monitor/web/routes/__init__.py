"""The routes of the page and its API, a file for each subject."""
