// Medians and percentiles. On a noisy machine ratios between peers that took turns say something;
// absolute figures are for orientation.

export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => percentile(values, 0.5);

/**
 * For rows that hold, under each key, one figure a round: the median of each, and its ratio to the
 * median of the first row.
 */
export function compare(rows, keys) {
  return rows.map((row) => {
    const result = { name: row.name };
    for (const key of keys) {
      result[key] = median(row[key]);
      result[`${key}Ratio`] = result[key] / median(rows[0][key]);
    }
    return result;
  });
}
