"""What is looked at before a campaign goes out: a second person's word, and fairness."""
