// Package steering chooses one of several weighted targets: an origin of a pool, or a pool of a load balancer. It is pure:
// no clock, no dice, no logger; time, randomness and load are arguments.
//
//	configuration ─► Compile(policy, targets) ─► Picker          once per change of configuration
//	                                               │
//	request ─► Input{Key, Draw, …} ─► Pick(in, ok) ─► index   for every attempt; ok says who is open
//	                                  Shares(in, ok)          the exact law of it, to explain and to test
//
// Contract:
//
//   - Pick returns a member of ok or None, depends on its arguments alone, and never allocates, whatever the number of
//     targets. A change of health is a change of ok; nothing is compiled again.
//   - Target.Weight is in hundredths. Weight 0 is never picked, and None is the answer when nobody open has a weight
//     (behaviour S2, S3); Equal makes targets for a last resort that must answer nevertheless. Off, geo, dynamic_latency
//     and proximity ignore weights.
//   - dynamic_latency picks the shortest round trip that Live knows (G4), proximity the nearest to Input.Place (G5). Those
//     of which that is not known come last, and ties go by the order of configuration. Taking a target out of ok shows
//     who comes next.
//   - random picks in proportion to weight (S4); the least policies to weight/(load+1) (S7, S8), where Live says what load
//     is; both in exact arithmetic or to the last digits of a float64.
//   - hash picks by Key and identity, in proportion to weight over all keys (S5). Order does not matter, and health and
//     weight changes move no key between two targets that did not change (S6). Nor does a newcomer or a removal among up
//     to 64 targets. Passing 64 moves nearly all keys, since few and many targets are hashed in different ways; beyond,
//     doubling the table (at 128, 256, …) moves about half, and a newcomer may disturb one other target (see slots).
//   - Answers of hash are the same on every CPU and in every release: hashes, tables and logarithms are pinned by tests.
//
// Cost on one core of a 2.7 GHz x86, in ns, by BenchmarkPick:
//
//	targets        2     8    64  1024  10000
//	off            3     3     3     3      3
//	random         6     6     6     7     10    (unequal weights: 10 to 20)
//	hash           7    18   145    37     49    (unequal weights: 16, 61, 255, 58, 84)
//	least         17    45    29    26     39
//	latency       12    26   160  2900  27000    (dynamic_latency and proximity look at every open target)
//	proximity     49    80   175  1850  17200
package steering
