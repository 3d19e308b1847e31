using System.Buffers.Binary;
using CsCheck;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>Written schedules: they come back, and nothing that is no schedule is taken for one.</summary>
public sealed class ScheduleFileTests
{
    private static readonly WeightMeshes<SmallConverted> s_meshes = WeightMeshes<SmallConverted>.Create(new(3, 2), new(2, 2));

    [Fact]
    public void A_schedule_comes_back()
    {
        WeightMembers members = WeightMembers.All(s_meshes.Trainer, s_meshes.Inference).WithInference(3, false);
        WeightSchedule schedule = WeightSchedule.Plan(s_meshes, members, new WeightScheduleOptions { Epoch = 7, TaskBytes = 1 << 17 });
        byte[] bytes = schedule.ToBytes();
        WeightSchedule loaded = WeightSchedule.Load(s_meshes, bytes);
        Assert.Equal(schedule.Options, loaded.Options);
        Assert.Equal(schedule.Members, loaded.Members);
        Assert.Equal((schedule.Tasks, schedule.MapHash), (loaded.Tasks, loaded.MapHash));
        Assert.Equal(schedule.BytesSent(), loaded.BytesSent());
        Assert.Equal(schedule.BytesReceived(), loaded.BytesReceived());
        Assert.Equal(bytes, loaded.ToBytes());
        Assert.Equal(bytes, WeightSchedule.Plan(s_meshes, members, schedule.Options).ToBytes());
    }

    [Fact]
    public void Every_cut_and_every_flipped_bit_is_refused()
    {
        byte[] bytes = WeightSchedule.Plan(s_meshes).ToBytes();
        for (int length = 0; length < bytes.Length; length++)
            Assert.Throws<DescriptorException>(() => WeightSchedule.Load(s_meshes, bytes.AsSpan(0, length)));
        Assert.Throws<DescriptorException>(() => WeightSchedule.Load(s_meshes, [.. bytes, 0]));
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<DescriptorException>(() => WeightSchedule.Load(s_meshes, bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Any_bytes_with_a_right_checksum_are_loaded_or_refused()
    {
        byte[] original = WeightSchedule.Plan(s_meshes).ToBytes();
        int loaded = 0, refused = 0;
        Gen.Select(Gen.Int[0, original.Length - 5], Gen.OneOf(Gen.Int, Gen.Int[-2, 20], Gen.Int[0, 1 << 20]), Gen.Int[0, 3]).Array[1, 3].Sample(
            edits =>
            {
                byte[] bytes = [.. original];
                foreach ((int at, int value, int width) in edits)
                {
                    if (width == 0 || at + 4 > bytes.Length - 4)
                        bytes[at] = (byte)value;
                    else
                        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);
                }

                if (LoadsOrRefuses(WithChecksum(bytes)))
                    Interlocked.Increment(ref loaded);
                else
                    Interlocked.Increment(ref refused);
            },
            iter: 3000L * Extended.Times, threads: 1);
        // Both happen: an epoch may be anything, a sender may not.
        Assert.True(loaded > 0 && refused > 0, $"{loaded} loaded, {refused} refused");
        TestContext.Current.TestOutputHelper?.WriteLine($"{loaded} edited schedules loaded, {refused} refused.");
    }

    [Fact]
    public void Random_bytes_are_refused() => Gen.Byte.Array[0, 400].Sample(bytes =>
    {
        Assert.Throws<DescriptorException>(() => WeightSchedule.Load(s_meshes, bytes));
        if (bytes.Length > 4)
            Assert.Throws<DescriptorException>(() => WeightSchedule.Load(s_meshes, WithChecksum(bytes)));
    });

    [Fact]
    public void A_schedule_for_another_map_or_deployment_is_refused_with_the_reason()
    {
        byte[] bytes = WeightSchedule.Plan(s_meshes).ToBytes();
        Contains("map of hash", () => WeightSchedule.Load(WeightMeshes<SmallMoe>.Create(new(3, 2), new(2, 2)), bytes));
        Contains("Axis 0 of the trainer mesh is 3 in the weight schedule, 2", () => WeightSchedule.Load(WeightMeshes<SmallConverted>.Create(new(2, 2), new(2, 2)), bytes));
        Contains("Axis 1 of the inference mesh", () => WeightSchedule.Load(WeightMeshes<SmallConverted>.Create(new(3, 2), new(2, 1)), bytes));
        byte[] newer = [.. bytes];
        newer[4] = 2;
        Contains("version 2", () => WeightSchedule.Load(s_meshes, newer));

        static void Contains(string message, Action load) =>
            Assert.Contains(message, Assert.Throws<DescriptorException>(load).Message, StringComparison.Ordinal);
    }

    /// <summary>True when the bytes are a schedule; then it can be used whole.</summary>
    private static bool LoadsOrRefuses(byte[] bytes)
    {
        WeightSchedule schedule;
        try
        {
            schedule = WeightSchedule.Load(s_meshes, bytes);
        }
        catch (GardenException refused) when (refused is DescriptorException or PlanException)
        {
            return false;
        }

        long sent = 0;
        for (int rank = 0; rank < s_meshes.Trainer.Ranks; rank++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            sent += plan.Totals.Bytes;
        }

        Assert.Equal(sent, Enumerable.Range(0, s_meshes.Inference.Ranks).Sum(rank => schedule.Expectations(rank).Sum(one => one.Bytes)));
        return true;
    }

    private static byte[] WithChecksum(byte[] bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 4), Crc32C.Of(bytes.AsSpan(0, bytes.Length - 4)));
        return bytes;
    }
}
