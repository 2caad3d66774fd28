// Package steeringtest holds what tests of weighted choices share: the suite that every steering policy runs, loads that
// stand still, and the χ² gates by which counts are compared with shares.
//
//	counts ─┐
//	        ├─ ChiSquare ─► x², degrees of freedom ─► UpperTail ─► gates: one in a million above, one in a thousand below
//	shares ─┘
//
// The lower gate is as important as the upper one: a round-robin disguised as a random draw fits its shares too well.
// Tests that use the gates draw from a fixed seed, so that they pass or fail for good.
package steeringtest
