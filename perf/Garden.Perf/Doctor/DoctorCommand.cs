using System.CommandLine;

namespace Garden.Perf.Doctor;

/// <summary><c>garden-perf doctor</c>: what is here, what is missing for which fabric, and the command that mends it.</summary>
internal static class DoctorCommand
{
    public static Command Create(Option<bool> json)
    {
        var require = new Option<string[]>("--require") { Description = "Fabrics that must be usable (tcp, shm, efa, verbs, nvlink); else the exit code is 1.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = static _ => [] };
        var command = new Command("doctor", "Which libraries, versions, providers, devices and limits are here, what is missing for which fabric, and the command that mends it.") { require };
        command.SetAction(parse =>
        {
            if (!OperatingSystem.IsLinux())
            {
                Console.Error.WriteLine("The fabrics beyond loopback are for Linux; loopback needs nothing.");
                return parse.GetValue(require)!.Length == 0 ? 0 : 1;
            }

            Finding[] findings = [.. LibfabricFindings.All(), .. DeviceFindings.All(), .. TopologyFindings.All(), .. LimitFindings.All()];
            if (parse.GetValue(json))
                PrintJson(findings);
            else
                Print(findings);
            string[] lacking = [.. parse.GetValue(require)!.Where(fabric => Array.Exists(findings, finding => finding.Blocks.Contains(fabric)))];
            if (lacking.Length != 0)
                Console.Error.WriteLine($"Not usable here: {string.Join(", ", lacking)}.");
            return lacking.Length == 0 ? 0 : 1;
        });
        return command;
    }

    private static void PrintJson(Finding[] findings)
    {
        var report = new Report(json: true);
        foreach (Finding finding in findings)
            report.Row("doctor", ("area", finding.Area), ("what", finding.What), ("found", finding.Found), ("missing_for", finding.Missing ?? ""), ("mend", finding.Mend ?? ""));
    }

    private static void Print(Finding[] findings)
    {
        Console.WriteLine("loopback needs nothing and is always here.");
        foreach (Finding finding in findings)
            Console.WriteLine($"{(finding.Missing is null ? "ok  " : "MISS")}  {finding.Area}: {finding.What}: {finding.Found}");
        foreach (Finding finding in findings.Where(static finding => finding.Missing is not null))
        {
            Console.WriteLine();
            Console.WriteLine($"For {finding.Missing}: {finding.What} ({finding.Found}). To mend it:");
            Console.WriteLine($"  {finding.Mend}");
        }
    }
}
