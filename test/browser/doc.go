// Package browser runs real clients in Chromium: the bundles of the 1.x, 2.x
// and 4.x lines on every transport. The work is done by the program beside it,
// which the test starts and checks. The demo page has a tier of its own,
// test/demo.
package browser
