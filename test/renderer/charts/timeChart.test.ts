// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { MetricChart } from '#shared/contract/metrics.ts'
import { byteStep, timeChartOption, unitText, type ChartTheme } from '../../../renderer/charts/timeChart.ts'

const theme: ChartTheme = { text: '#111', line: '#222', surface: '#333', font: 'Inter', series: ['#a', '#b'] }
const chart: MetricChart = {
  timesMs: [1000, 2000, 3000],
  series: [{ name: 'used', unit: 'cores', values: [0.5, null, 2] }],
  source: 's',
  emptyReason: null,
}
interface Option {
  xAxis: { min?: number; max?: number }
  yAxis: { axisLabel: { formatter: (value: number) => string } }
  series: { data: [number, number | null][]; connectNulls: boolean }[]
  tooltip: { renderMode: string }
}
const optionOf = (of: MetricChart, range?: { fromMs: number; toMs: number }): Option => timeChartOption(of, theme, range ?? null) as unknown as Option

describe('timeChartOption', () => {
  it('keeps a missing sample a gap', () => {
    const { series } = optionOf(chart)
    expect(series[0]?.data).toEqual([
      [1000, 0.5],
      [2000, null],
      [3000, 2],
    ])
    expect(series[0]?.connectNulls).toBe(false)
  })
  it('shows the range that was asked for, however few samples there are', () => {
    expect(optionOf(chart, { fromMs: 0, toMs: 3000 }).xAxis).toMatchObject({ min: 0, max: 3000 })
    expect(optionOf(chart).xAxis).not.toHaveProperty('min')
  })
  it('labels an axis of cores in one unit', () => {
    expect(optionOf(chart).yAxis.axisLabel.formatter(0.5)).toBe('0.5')
    const small = { ...chart, series: [{ name: 'used', unit: 'cores' as const, values: [0.1, 0.2, 0.3] }] }
    expect(optionOf(small).yAxis.axisLabel.formatter(0.15)).toBe('150m')
  })
  it.each([
    [23.7 * 1024 ** 3, 10 * 1024 ** 3],
    [1.4 * 1024 ** 3, 0.5 * 1024 ** 3],
    [900 * 1024 ** 2, 500 * 1024 ** 2],
    [1024, 0.5 * 1024],
    [3, 1],
  ])('puts lines of an axis of up to %d bytes at whole steps of their unit', (largest, step) => {
    expect(byteStep(largest)).toBe(step)
  })
  it('ends an axis of bytes at a whole step', () => {
    const memory = { ...chart, series: [{ name: 'used', unit: 'bytes' as const, values: [1, 23.7 * 1024 ** 3, null] }] }
    expect(optionOf(memory).yAxis).toMatchObject({ interval: 10 * 1024 ** 3, max: 30 * 1024 ** 3 })
    expect(optionOf(chart).yAxis).not.toHaveProperty('max')
  })
  it('never draws names of the cluster as HTML', () => {
    expect(optionOf(chart).tooltip.renderMode).toBe('richText')
  })
  it.each([
    [0.25, 'cores', '250m'],
    [1536, 'bytes', '1.5 KiB'],
    [0.5, 'ratio', '50%'],
    [12.34, 'ms', '12.3 ms'],
    [3, 'per-second', '3/s'],
    [1200, 'count', '1,200'],
  ] as const)('writes %d %s as %s', (value, unit, text) => {
    expect(unitText(value, unit)).toBe(text)
  })
})
