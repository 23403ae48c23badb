// Four looks to choose from.

export const LOOKS = [
  { name: "lookPlain", strength: 1, warmth: 0, tint: 0 },
  { name: "lookWarm", strength: 1, warmth: 8, tint: 3 },
  { name: "lookCool", strength: 1, warmth: -8, tint: -1 },
  { name: "lookSoft", strength: 0.5, warmth: 0, tint: 0 },
];
