"""What a run does: a plan, photographs, films, and the record of what was made."""
