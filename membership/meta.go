package membership

// CheckMeta returns [ErrMetaTooLarge] if meta is over [MaxMeta]. Each entry
// counts two bytes for the lengths of its key and value.
func CheckMeta(meta map[string]string) error {
	n := 0
	for k, v := range meta {
		n += len(k) + len(v) + 2
	}
	if n > MaxMeta {
		return ErrMetaTooLarge
	}
	return nil
}
