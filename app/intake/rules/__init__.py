"""From bytes to a mail, and what to do with it: pure, so that each oddity is one small test."""
