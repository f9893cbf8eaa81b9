// Package browser runs real clients in Chromium: the bundles of the 1.x, 2.x
// and 4.x lines on every transport, and the demo page of siod with two people
// chatting. The work is done by the programs beside it, which the tests start
// and check.
package browser
