// The programs whose mutants docs/mutants.md lists: the fixed forms of the catalogue's entries, and the locks of examples/locks.

/**
 * Variants that hold, each program once. Code that is violated under other options is the fixed form only of an entry that has no other.
 *
 * @param entries of `xmcheck catalogue --list --json`
 * @returns {{ id: string, title: string, label: string, file: string, object: string, options: string[], key?: string }[]}
 */
export function fixedForms(entries) {
  return entries.flatMap(({ id, title, file, expected, variants }) => {
    const verdictOf = (variant) => expected.find((one) => one.name === variant.name)?.verdict
    const violated = new Set(variants.filter((one) => verdictOf(one) === 'violated').map((one) => one.object))
    const holding = variants.filter((one) => verdictOf(one) === 'holds')
    const better = holding.filter((one) => !violated.has(one.object))
    const seen = new Set()
    return (better.length > 0 ? better : holding).flatMap((one) => {
      const program = `${one.object} ${one.options.join(' ')}`
      if (seen.has(program)) return []
      seen.add(program)
      const label = one.case ? `${one.name}/${one.case}` : one.name
      return [{ id, title, label, file: `catalogue/${file}`, object: `catalogue/${one.object}`, options: one.options, ...(one.key === undefined ? {} : { key: one.key }) }]
    })
  })
}

/** Forms of a lock that its pieces are looked for in, each for what those before it do not notice. */
const LOCK_FORMS = ['-MARKED', '-MARKED-SECTIONS_2', '-IRQ', '-CPUS_3-MARKED']
/** Of these locks: what they have too many states in to be gone through for each piece. */
const TOO_LARGE = { XEN: ['-IRQ', '-CPUS_3-MARKED'], PV_TICKET: ['-IRQ', '-CPUS_3-MARKED'], KVM_TICKET: ['-IRQ', '-CPUS_3-MARKED'], PV_QUEUED: ['-MARKED-SECTIONS_2', '-IRQ', '-CPUS_3-MARKED'] }

/** @param text of examples/locks/check.c */
export function lockForms(text) {
  const locks = /^ \* objects: (.*)$/m.exec(text)[1].split(' ')
  return locks.flatMap((lock) =>
    LOCK_FORMS.filter((form) => !TOO_LARGE[lock]?.includes(form)).map((form) => ({ id: `L-${lock}`, title: `lock ${lock}`, label: form.slice(1), file: 'examples/locks/check.c', object: `examples/locks/objects/check-${lock}${form}.o`, options: [] })),
  )
}
