"""Documents: read from files, cut into chunks, added to what is known."""

from socrates.knowledge.documents.importing import Documents, FailedFile, ImportedDirectory, ImportedFile, Permit

__all__ = ["Documents", "FailedFile", "ImportedDirectory", "ImportedFile", "Permit"]
