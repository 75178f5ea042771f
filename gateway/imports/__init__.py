"""Plans as others write them (CSV, iCalendar), turned into the frames that bring them in."""
