/** One run of a study, for tests that bundle this first: from sources it takes ten times as long. */
import { readFileSync } from 'node:fs'
import { runCost } from '../../src/cost/run.ts'
import { STUDIES, type StudyRow } from '../../src/cost/studies.ts'
import { COST_TABLES } from '../../src/cost/table.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'

export function studyRow(study: string, label: string, pcpus: number): StudyRow {
  const row = STUDIES[study].runs.find((one) => one.label === label && one.pcpus === pcpus)!
  const bytes = new Uint8Array(readFileSync(new URL(`../../cost/objects/${row.object}`, import.meta.url)))
  const options = { table: COST_TABLES[row.table], pcpus, quantum: row.quantum, cyclesMax: 1e9, eventsMax: 5_000_000 }
  return { ...row, result: runCost(loadObjects([{ name: row.object, bytes }], { title: label }), options) }
}
