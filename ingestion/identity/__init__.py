"""Who is who: names of a person, how they are joined, and how a join is undone."""
