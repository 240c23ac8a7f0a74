/** "Did you mean": the candidates nearest to a misspelt name. */

const NAME_CHARS_MAX = 40
const CANDIDATES_MAX = 2000

/** `did you mean jmp, jp or jmpe?`, or `otherwise` where nothing is near. */
export function nearest(name: string, candidates: readonly string[], otherwise: string): string {
  if (name.length > NAME_CHARS_MAX) return otherwise + '.'
  const most = name.length < 3 ? 1 : 2
  const near = candidates
    .slice(0, CANDIDATES_MAX)
    .filter(
      (candidate) => Math.abs(candidate.length - name.length) <= most && candidate.length <= NAME_CHARS_MAX,
    )
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate)
  return near.length > 0 ? `did you mean ${near.join(', ')}?` : otherwise + '.'
}

/** Insertions, deletions and replacements between two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}
