using System.CommandLine;

namespace WeightSync;

/// <summary>The options of the command line.</summary>
internal static class CommandLine
{
    public static RootCommand Create(Func<SampleOptions, CancellationToken, Task<int>> run)
    {
        var model = new Option<ModelName>("--model") { Description = "TinyMoe (86 MB, written by the sample) or Llama8B (16 GB, from --checkpoint)." };
        var fabric = new Option<FabricName>("--fabric") { Description = "Loopback (all ranks in this process) or Tcp (a process a rank; libfabric must be installed)." };
        var trainers = new Option<int>("--trainers") { Description = "Trainer ranks, 1 to 64.", DefaultValueFactory = static _ => 2 };
        var inference = new Option<int>("--inference") { Description = "Inference ranks, 1 to 64.", DefaultValueFactory = static _ => 2 };
        var steps = new Option<int>("--steps") { Description = "Updates to send.", DefaultValueFactory = static _ => 3 };
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Directory with model.safetensors.index.json; written there first when it has none and the model is TinyMoe." };
        var kill = new Option<int?>("--kill") { Description = "Tcp: kill -9 this inference rank in the middle of the last step." };
        var unverified = new Option<bool>("--no-verify") { Description = "Send no hashes." };
        var seed = new Option<int>("--seed") { Description = "Seed of the written checkpoint.", DefaultValueFactory = static _ => 1 };
        var watermark = new Option<long>("--watermark") { Description = "MiB that packing and converting use on a trainer rank.", DefaultValueFactory = static _ => 256 };
        var deadline = new Option<double>("--deadline") { Description = "Seconds an update may take.", DefaultValueFactory = static _ => 60 };
        var role = new Option<Role>("--role") { Description = "All, or one rank of several processes that are started by hand: Trainer or Inference." };
        var rank = new Option<int>("--rank") { Description = "The rank of --role." };
        var place = new Option<string?>("--place") { Description = "Directory in which ranks publish their addresses." };
        var command = new RootCommand("Sends new weights from trainer ranks to inference ranks: sharded, fused and converted to FP8 on the way, verified by hashes.")
        {
            model, fabric, trainers, inference, steps, checkpoint, kill, unverified, seed, watermark, deadline, role, rank, place,
        };
        foreach (Option<int> count in (Option<int>[])[trainers, inference, steps])
            RequireRange(count, 1, count == steps ? 100_000 : 64);
        command.SetAction((parsed, cancellationToken) => run(
            new SampleOptions
            {
                Model = parsed.GetValue(model),
                Fabric = parsed.GetValue(fabric),
                Trainers = parsed.GetValue(trainers),
                Inference = parsed.GetValue(inference),
                Steps = parsed.GetValue(steps),
                Checkpoint = parsed.GetValue(checkpoint),
                Kill = parsed.GetValue(kill),
                Verify = !parsed.GetValue(unverified),
                Seed = parsed.GetValue(seed),
                WatermarkMiB = parsed.GetValue(watermark),
                Deadline = TimeSpan.FromSeconds(parsed.GetValue(deadline)),
                Role = parsed.GetValue(role),
                Rank = parsed.GetValue(rank),
                Place = parsed.GetValue(place),
            },
            cancellationToken));
        return command;
    }

    private static void RequireRange(Option<int> option, int least, int most) =>
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && (value < least || value > most))
                result.AddError($"{option.Name} is {least} to {most}; got {value}.");
        });
}
