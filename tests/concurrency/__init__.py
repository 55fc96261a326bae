"""Many at once: tasks, processes, cancellations and kills on one file."""
