"""What owners report by forms of the office: area, shelves, goods of competitors, what they think of a promotion."""
