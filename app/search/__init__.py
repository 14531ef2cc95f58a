"""Finding rows by what people remember of them: a part of a name, how it sounds, the end of a number."""
