"""How sessions come to be: which database, on which engine."""
