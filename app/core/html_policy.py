"""The version of the rules by which foreign HTML is made harmless: for those who only ask whether it is the newest."""

POLICY = 2
