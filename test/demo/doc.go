// Package demo clicks through the demo page of siod dev in Chromium: two people
// chat, one of them loses the connection and comes back, and the page says what
// to do where its client cannot be had. Screenshots are left in the artifacts.
//
// The work is done by run.mjs beside it, which the test starts and checks. It
// uses the Chromium driver of test/browser and the npm client of test/interop.
package demo
