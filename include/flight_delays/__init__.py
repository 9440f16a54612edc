"""Which of tomorrow's flights out of New York will arrive 15 or more minutes late?"""
