"""Reading v1's `vector_db/`: a copy of the directory, the entries in it, and their vectors."""
