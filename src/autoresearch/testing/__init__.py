"""Parts for testing studies and for judging rules: what ships so that others need not write it again."""
