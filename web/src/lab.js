// sRGB, XYZ and Lab (D65), each of X, Y and Z divided by white's: gray has all three the same.
// Source: IEC 61966-2-1 and CIE 15. colorizer/chroma.py has the same numbers.

export const LUMINANCE = [0.21267288, 0.71515213, 0.07217499];
const X_OF_RGB = [0.43394994, 0.37620977, 0.18984029];
const Z_OF_RGB = [0.01775658, 0.10946796, 0.87277546];
// What X - Y and Z - Y move red, green and blue; Y moves all three alike.
export const RGB_OF_X = [3.0799551, -0.9212586, 0.0528874];
export const RGB_OF_Z = [-0.5428162, 0.0452475, 1.1511385];

export const within = (value, low = 0, high = 1) => Math.min(Math.max(value, low), high);
/** Return 0 to the first, 1 from the last, and between them evenly more. */
export const ramp = (value, [first, last]) => within((value - first) / (last - first));
const linearOf = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
export const gammaOf = (light) =>
  light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;

const TOE = 6 / 29; // Lab's cube root goes on as a straight line below this root
export const rootOf = (light) =>
  light > TOE ** 3 ? Math.cbrt(light) : light / (3 * TOE * TOE) + 4 / 29;
export const lightOf = (root) =>
  root > TOE ? root * root * root : 3 * TOE * TOE * (root - 4 / 29);

// Tables: linear light of a level of 8 bits; root and level of light in whole steps.
export const STEPS = 65534;
const lights = Float64Array.from({ length: STEPS + 2 }, (_, step) => Math.min(step / STEPS, 1));
export const LINEAR = Float32Array.from({ length: 256 }, (_, level) => linearOf(level / 255));
export const ROOT_OF_STEP = Float32Array.from(lights, rootOf);
export const LEVEL_OF_STEP = Uint8ClampedArray.from(lights, (light) => 255 * gammaOf(light));

/** Return Lab a and b of linear red, green and blue. */
function chromaOfLinear(red, green, blue) {
  const root = ([r, g, b]) => rootOf(r * red + g * green + b * blue);
  const [x, y, z] = [root(X_OF_RGB), root(LUMINANCE), root(Z_OF_RGB)];
  return [500 * (x - y), 200 * (y - z)];
}

/** Return Lab a and b of sRGB levels, 0 to 255. */
export const chromaOf = (...levels) =>
  chromaOfLinear(...levels.map((level) => linearOf(level / 255)));

/** Return the luminance Y, 0 to 1, of sRGB levels that are whole numbers. */
export const luminanceOf = (red, green, blue) =>
  LUMINANCE[0] * LINEAR[red] + LUMINANCE[1] * LINEAR[green] + LUMINANCE[2] * LINEAR[blue];

/** Return how far linear red, green and blue of luminance `y` and chroma a, b are from its gray. */
function distanceFromGray(y, a, b) {
  const root = rootOf(y);
  const [x, z] = [lightOf(root + a / 500) - y, lightOf(root - b / 200) - y];
  return RGB_OF_X.map((fromX, channel) => fromX * x + RGB_OF_Z[channel] * z);
}

/** Return the share of distances from the gray of luminance `y` at which all stay in [0, 1]. */
export function possibleShare(y, red, green, blue) {
  const [above, below] = [Math.max(1 - y, 1e-6), Math.max(y, 1e-6)]; // nothing would not divide
  const [highest, lowest] = [Math.max(red, green, blue), -Math.min(red, green, blue)];
  return Math.min(above / Math.max(highest, above), below / Math.max(lowest, below));
}

/** Return linear RGB of luminance `y` with chroma a, b, or as much of it as sRGB can show. */
function possible(y, a, b) {
  const distances = distanceFromGray(y, a, b);
  const share = possibleShare(y, ...distances);
  return distances.map((each) => within(y + share * each));
}

/** Return sRGB levels, or chroma, of luminance `y` with as much of chroma a, b as there can be. */
export const colourOf = (y, a, b) =>
  possible(y, a, b).map((light) => Math.round(255 * gammaOf(light)));
export const possibleChroma = (y, a, b) => chromaOfLinear(...possible(y, a, b));

/** Return what is left of chroma a, b where each channel is clipped, as the network's RGB is. */
export const clippedChroma = (y, a, b) =>
  chromaOfLinear(...distanceFromGray(y, a, b).map((each) => within(y + each)));
