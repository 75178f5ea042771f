"""The five nouns and what they speak about; imports nothing of ours."""
