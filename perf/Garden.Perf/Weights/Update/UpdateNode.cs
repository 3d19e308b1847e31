using System.Diagnostics;
using Garden.Interop.Libfabric;
using Garden.Weights;

namespace Garden.Perf.Weights.Update;

/// <summary>One of the processes: does what it is told on its input, a line at a time, and says when it began and ended.</summary>
internal static class UpdateNode
{
    private const ushort VerifiedChannel = 0x5760;

    public static async Task RunAsync(UpdatePlan plan, int node)
    {
        bool isTrainer = node < UpdatePlan.Trainers;
        int rank = isTrainer ? node : node - UpdatePlan.Trainers;
        await using TransferEngine engine = TransferEngine.CreateBuilder()
            // Long writes of several processes push each other out of the cache between the two copies that tcp makes of them.
            .UseTcp(TcpOptions.At("127.0.0.1") with { MaxWriteLength = 1 << 20 })
            // Four processes share the machine: a worker that waits gives way.
            .Configure(static options => options.WaitStrategy = WaitStrategy.Economic)
            .Build();
        using var memory = new NativeBuffer(isTrainer ? UpdatePlan.Meshes.TrainerBytes : UpdatePlan.Meshes.InferenceBytes);
        for (long offset = 0; offset < memory.Length; offset += 1 << 20)
            new Random((int)((rank * 10_000) + (offset >> 20))).NextBytes(memory.Span(offset, (int)Math.Min(1 << 20, memory.Length - offset)));
        await using MemoryRegion region = engine.Register(memory);
        WeightSchedule schedule = WeightSchedule.Plan(UpdatePlan.Meshes);
        using RawLinks raw = await RawLinks.OpenAsync(plan, isTrainer, rank, memory);
        if (isTrainer)
        {
            await using WeightSender<UpdateMap> plain = Sender(false), verified = Sender(true);
            for (int receiver = 0; receiver < UpdatePlan.Receivers; receiver++)
            {
                Peer peer = await engine.ConnectAsync(NetAddress.Parse(await plan.FindAsync($"inference{receiver}")), UpdatePlan.Deadline);
                await plain.ConnectReceiverAsync(receiver, peer, UpdatePlan.Deadline);
                await verified.ConnectReceiverAsync(receiver, peer, UpdatePlan.Deadline);
            }

            await ObeyAsync(
                write => raw.Send(memory.Length, write, rank),
                async (step, verify) =>
                {
                    WeightStepReport report = await (verify ? verified : plain).UpdateAsync(step, UpdatePlan.Deadline);
                    if (!report.IsComplete)
                        throw new InvalidDataException($"trainer {rank}: {report}");
                });
        }
        else
        {
            await using WeightReceiver<UpdateMap> plain = Receiver(false), verified = Receiver(true);
            await using IAsyncDisposable published = await plan.PublishAsync($"inference{rank}", $"{engine.Address}");
            await ObeyAsync(
                write => raw.Receive(memory.Length, write),
                async (step, verify) =>
                {
                    WeightReceiver<UpdateMap> receiver = verify ? verified : plain;
                    await receiver.ReceiveAsync(step, UpdatePlan.Deadline);
                    receiver.Swap();
                });
        }

        WeightSender<UpdateMap> Sender(bool verify) => new(engine, schedule, rank, new WeightSenderOptions
        {
            Tensors = region,
            Verify = verify,
            Name = $"trainer{rank}",
            Channel = verify ? VerifiedChannel : (ushort)(VerifiedChannel + 2),
        });

        WeightReceiver<UpdateMap> Receiver(bool verify) => new(engine, schedule, rank, new WeightReceiverOptions
        {
            Buffers = [region],
            Verify = verify,
            Name = $"inference{rank}",
            Channel = verify ? VerifiedChannel : (ushort)(VerifiedChannel + 2),
        });
    }

    private static async Task ObeyAsync(Action<long> raw, Func<long, bool, Task> update)
    {
        Console.WriteLine("ready");
        // The console's reader blocks, whatever its methods are called.
        while (await Task.Run(Console.In.ReadLine) is { } line)
        {
            string[] words = line.Split(' ');
            long number = long.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture);
            long began = Stopwatch.GetTimestamp();
            if (words[0] == "raw")
                await Task.Factory.StartNew(() => raw(number), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            else
                await update(number, words[0] == "verify");
            // Timestamps are the machine's, the same in all processes.
            Console.WriteLine($"{began} {Stopwatch.GetTimestamp()}");
        }
    }
}
