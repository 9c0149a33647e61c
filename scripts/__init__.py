"""What the project's own makers run: the programs beside the tests, and the pictures of the documents."""
