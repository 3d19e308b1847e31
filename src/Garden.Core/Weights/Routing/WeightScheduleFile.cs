using System.Buffers.Binary;

namespace Garden.Weights;

/// <summary>The wire form of a schedule. It holds decisions only: which items each sender takes, in what order.</summary>
/// <remarks>
/// Little-endian: magic "GRWS" (4), version (1), reserved (3), map hash (8), epoch (4), tasks (4), bytes a task (8), hash over the
/// cells (8), trainer mesh and inference mesh (4 sizes of 4 each, 0 for axes that are not there), presence of trainer ranks and of
/// inference ranks (a bit a rank, lowest first, each padded to a byte), then for every trainer rank its number of tasks (4) and
/// their items (4 each); last a CRC-32C of everything before it (4). Parsing trusts no field: meshes must be those of the reader,
/// so that no count in the bytes decides how much is allocated.
/// </remarks>
internal static class WeightScheduleFile
{
    private const uint Magic = 0x53575247; // "GRWS"
    private const byte Version = 1;
    private const int MeshesAt = 40;
    private const int MembersAt = MeshesAt + (2 * WeightMesh.MaxAxes * 4);

    /// <summary>What is read besides the cells, which follow from it.</summary>
    internal readonly record struct Header(WeightMembers Members, WeightScheduleOptions Options, int Tasks, ulong CellHash, int ItemsAt);

    public static byte[] Write(WeightSchedule schedule, WeightCell[] cells, int[][] items, int tasks)
    {
        byte[] bytes = new byte[ItemsAt(schedule.Trainer, schedule.Inference) + (4 * (schedule.Trainer.Ranks + tasks)) + 4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        bytes[4] = Version;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), schedule.MapHash);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), schedule.Options.Epoch);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), tasks);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), schedule.Options.TaskBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(32), HashOf(cells));
        WriteMesh(bytes.AsSpan(MeshesAt), schedule.Trainer);
        WriteMesh(bytes.AsSpan(MeshesAt + (WeightMesh.MaxAxes * 4)), schedule.Inference);
        for (int rank = 0; rank < schedule.Trainer.Ranks; rank++)
            SetBit(bytes.AsSpan(MembersAt), rank, schedule.Members.HasTrainer(rank));
        for (int rank = 0; rank < schedule.Inference.Ranks; rank++)
            SetBit(bytes.AsSpan(MembersAt + Octets(schedule.Trainer.Ranks)), rank, schedule.Members.HasInference(rank));
        int at = ItemsAt(schedule.Trainer, schedule.Inference);
        foreach (int[] own in items)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), own.Length);
            at += 4;
            foreach (int item in own)
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), item);
                at += 4;
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), Crc32C.Of(bytes.AsSpan(0, at)));
        return bytes;
    }

    public static Header ReadHeader(ReadOnlySpan<byte> bytes, ulong mapHash, WeightMesh trainer, WeightMesh inference)
    {
        int itemsAt = ItemsAt(trainer, inference);
        if (bytes.Length < MembersAt + 4)
            throw new DescriptorException($"A weight schedule has at least {MembersAt + 4} bytes; got {bytes.Length}.");
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (magic != Magic)
            throw new DescriptorException($"A weight schedule begins with \"GRWS\"; got 0x{magic:x8}.");
        if (bytes[4] != Version)
            throw new DescriptorException($"Weight schedule version {bytes[4]} is not understood (this is version {Version}); use the same Garden version on all ranks.");
        (uint expected, uint found) = (Crc32C.Of(bytes[..^4]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]));
        if (expected != found)
            throw new DescriptorException($"Weight schedule checksum is 0x{found:x8}, its bytes give 0x{expected:x8}: it was damaged or cut on the way.");
        ulong hash = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        if (hash != mapHash)
            throw new DescriptorException($"The weight schedule is for a map of hash 0x{hash:x16}, this rank's has 0x{mapHash:x16}; build all ranks from the same map.");
        RequireMesh("trainer", bytes[MeshesAt..], trainer);
        RequireMesh("inference", bytes[(MeshesAt + (WeightMesh.MaxAxes * 4))..], inference);
        long taskBytes = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]);
        if (taskBytes < WeightScheduleOptions.LeastTaskBytes)
            throw new DescriptorException($"A weight schedule's tasks have at least {WeightScheduleOptions.LeastTaskBytes} bytes; got {taskBytes}.");
        int tasks = BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]);
        if (tasks < 0 || bytes.Length != itemsAt + (4L * trainer.Ranks) + (4L * tasks) + 4)
            throw new DescriptorException($"A weight schedule of {tasks} tasks over {trainer.Ranks} senders does not have {bytes.Length} bytes.");
        WeightMembers members = ReadMembers(bytes[MembersAt..], trainer, inference);
        var options = new WeightScheduleOptions { TaskBytes = taskBytes, Epoch = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]) };
        return new Header(members, options, tasks, BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]), itemsAt);
    }

    /// <summary>The items of every sender; each item is there once, on one of its candidates.</summary>
    public static int[][] ReadItems(ReadOnlySpan<byte> bytes, in Header header, WeightCell[] cells, int ranks, out int[] senders)
    {
        int tasks = cells.Length == 0 ? 0 : cells[^1].FirstItem + cells[^1].Items;
        if (tasks != header.Tasks || HashOf(cells) != header.CellHash)
            throw new DescriptorException($"The weight schedule has {header.Tasks} tasks, cut in another way than this rank's {tasks}; use the same Garden version on all ranks.");
        senders = new int[tasks];
        senders.AsSpan().Fill(-1);
        int[][] items = new int[ranks][];
        int at = header.ItemsAt, left = tasks;
        for (int rank = 0; rank < ranks; rank++)
        {
            int count = BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
            at += 4;
            if (count < 0 || count > left)
                throw new DescriptorException($"Trainer rank {rank} of a weight schedule has {count} tasks; {left} are left.");
            left -= count;
            items[rank] = new int[count];
            foreach (ref int item in items[rank].AsSpan())
            {
                item = BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
                at += 4;
                if ((uint)item >= (uint)tasks || senders[item] >= 0)
                    throw new DescriptorException($"Trainer rank {rank} of a weight schedule has task {item}, which is not one of {tasks} or is another's too.");
                senders[item] = rank;
            }
        }

        if (left != 0)
            throw new DescriptorException($"{left} tasks of a weight schedule have no sender.");
        foreach (WeightCell cell in cells)
        {
            foreach (int sender in senders.AsSpan(cell.FirstItem, cell.Items))
            {
                if (Array.BinarySearch(cell.Candidates, sender) < 0)
                    throw new DescriptorException($"A weight schedule lets trainer rank {sender} send a part of row {cell.Part} that it does not hold.");
            }
        }

        return items;
    }

    private static int ItemsAt(WeightMesh trainer, WeightMesh inference) => MembersAt + Octets(trainer.Ranks) + Octets(inference.Ranks);

    private static int Octets(int bits) => (int)(((long)bits + 7) / 8);

    private static void WriteMesh(Span<byte> bytes, WeightMesh mesh)
    {
        for (int axis = 0; axis < mesh.Axes; axis++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes[(axis * 4)..], mesh[axis]);
    }

    private static void RequireMesh(string side, ReadOnlySpan<byte> bytes, WeightMesh mesh)
    {
        for (int axis = 0; axis < WeightMesh.MaxAxes; axis++)
        {
            int size = BinaryPrimitives.ReadInt32LittleEndian(bytes[(axis * 4)..]), own = axis < mesh.Axes ? mesh[axis] : 0;
            if (size != own)
                throw new DescriptorException($"Axis {axis} of the {side} mesh is {size} in the weight schedule, {own} on this rank ({mesh}); load the schedule of this deployment.");
        }
    }

    private static WeightMembers ReadMembers(ReadOnlySpan<byte> bytes, WeightMesh trainer, WeightMesh inference)
    {
        int second = Octets(trainer.Ranks);
        bool[] trainers = new bool[trainer.Ranks], receivers = new bool[inference.Ranks];
        for (int rank = 0; rank < trainers.Length; rank++)
            trainers[rank] = (bytes[rank / 8] & (1 << (rank % 8))) != 0;
        for (int rank = 0; rank < receivers.Length; rank++)
            receivers[rank] = (bytes[second + (rank / 8)] & (1 << (rank % 8))) != 0;
        return WeightMembers.Of(trainers, receivers);
    }

    private static void SetBit(Span<byte> bytes, int bit, bool value)
    {
        if (value)
            bytes[bit / 8] |= (byte)(1 << (bit % 8));
    }

    private static ulong HashOf(WeightCell[] cells)
    {
        ulong hash = 14695981039346656037;
        foreach (WeightCell cell in cells)
        {
            Mix(cell.Part);
            Mix(cell.Rows.First);
            Mix(cell.Rows.End);
            Mix(cell.Columns.First);
            Mix(cell.Window.First);
            Mix(cell.Window.End);
            Mix(cell.OutersPerItem);
            foreach (int bound in cell.ExpertBounds)
                Mix(bound);
            foreach (int candidate in cell.Candidates)
                Mix(candidate);
        }

        return hash;

        void Mix(long value) => hash = (hash ^ (ulong)value) * 1099511628211;
    }
}
