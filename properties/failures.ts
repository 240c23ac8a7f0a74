/** Failing properties leave a trace in traces/, which later runs check first. */
import { mkdirSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { encodeTrace, type Trace } from '../src/index.ts'

/**
 * `fc.assert`, which keeps what the shrunk counterexample did.
 * @param traceOf the trace of a failing case; null where it has none (a counterexample that was missed)
 */
export function assertProperty<T extends [unknown, ...unknown[]]>(
  name: string, property: fc.IPropertyWithHooks<T>, parameters: fc.Parameters<T>, traceOf: (...values: T) => Trace | null,
): void {
  const details = fc.check(property, parameters)
  if (!details.failed) return
  const trace = details.counterexample === null ? null : traceOf(...details.counterexample)
  if (trace !== null) {
    const folder = new URL('../traces/', import.meta.url)
    mkdirSync(folder, { recursive: true })
    writeFileSync(new URL(`${name}-${details.seed}.xmt`, folder), encodeTrace(trace))
  }
  throw new Error(`${fc.defaultReportMessage(details)}${trace === null ? '' : `\nkept: xmcheck explain traces/${name}-${details.seed}.xmt`}`)
}
