"""Which of today's messages are spam? The label is a column of the row that is scored."""
